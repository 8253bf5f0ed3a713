// Goal: without a configuration the server finds itself, wherever it listens. Method: a table of addresses.
import { describe, expect, it } from 'vitest'
import { defaultConfigText } from '../../src/config/default.ts'
import { loadConfig } from '../../src/config/load.ts'

describe('defaultConfigText', () => {
  it.each([
    { listen: '0.0.0.0:9090', target: '127.0.0.1:9090' },
    { listen: ':9091', target: '127.0.0.1:9091' },
    { listen: '[::]:9090', target: '[::1]:9090' },
    { listen: '10.0.0.1:80', target: '10.0.0.1:80' },
    { listen: 'localhost:1', target: 'localhost:1' },
  ])('$listen is scraped at $target', ({ listen, target }) => {
    const { scrapeConfigs } = loadConfig(defaultConfigText(listen), { fileName: 'default' })
    expect(scrapeConfigs).toHaveLength(1)
    expect(scrapeConfigs[0]).toMatchObject({
      jobName: 'narthex',
      scrapeIntervalMs: 5000,
      scrapeTimeoutMs: 5000,
    })
    expect(scrapeConfigs[0].staticConfigs[0].targets[0].toObject()).toEqual({ __address__: target })
  })
})
