import { MemoryStorage } from '../../storage/memory-storage.ts'
import { storageSuite } from '../conformance/storage.suite.ts'

storageSuite('MemoryStorage', async (options) => {
  const storage = new MemoryStorage(options)
  return {
    storage,
    close: async () => {},
    cut: () => {},
    settle: async () => {},
    deleteSeries: async (matchers, mint, maxt) => storage.deleteSeries(matchers, mint, maxt),
  }
})
