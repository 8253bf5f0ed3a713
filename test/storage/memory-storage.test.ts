import { MemoryStorage } from '../../storage/memory-storage.ts'
import { storageSuite } from '../conformance/storage.suite.ts'

storageSuite('MemoryStorage', async () => ({
  storage: new MemoryStorage(),
  close: async () => {},
  cut: () => {},
}))
