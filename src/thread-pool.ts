/**
 * Sizes libuv's thread pool, which LevelDB, DNS, gzip and files share. It is read once, when the first work
 * is given to the pool; modules are evaluated in the order of their imports, so the program's entry imports
 * this one before all others. Whoever starts the program may set another size.
 */
import { availableParallelism } from 'node:os'

process.env.UV_THREADPOOL_SIZE ??= String(Math.max(8, 2 * availableParallelism()))
