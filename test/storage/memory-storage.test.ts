import { MemoryStorage } from '../../storage/memory-storage.ts'
import { storageSuite } from '../conformance/storage.suite.ts'

storageSuite('MemoryStorage', async (options) => ({
  storage: new MemoryStorage(options),
  close: async () => {},
  cut: () => {},
}))
