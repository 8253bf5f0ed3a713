# The server runs its TypeScript as it is, so there is nothing to build: production packages and sources.
FROM node:26-slim AS packages
WORKDIR /narthex
COPY package.json package-lock.json ./
RUN npm ci --omit=dev

FROM node:26-slim
RUN useradd --system --uid 65533 --home-dir /narthex narthex && mkdir /data && chown narthex /data
WORKDIR /narthex
COPY --from=packages /narthex/node_modules node_modules
COPY package.json LICENSE ./
COPY storage storage
COPY promql promql
COPY src src
# The package `node` brings the exact version that the project is tested with; the image's own only runs npm.
ENV PATH=/narthex/node_modules/.bin:$PATH
USER narthex
VOLUME /data
EXPOSE 9090
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["node", "-e", "fetch('http://127.0.0.1:9090/-/healthy').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "src/main.ts"]
CMD ["--storage.tsdb.path=/data"]
