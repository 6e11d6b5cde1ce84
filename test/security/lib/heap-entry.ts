// A service in a process of its own that writes heap snapshots on request; started by heap.ts with --expose-gc and the backend's URL.
import { writeHeapSnapshot } from 'node:v8'
import { startApp } from '../../lib/app.ts'

const { url } = await startApp({ backend: process.argv[2] ?? '' })

process.on('message', (file: string) => void snapshot(file))
process.send?.(url)

async function snapshot(file: string): Promise<void> {
  // A few turns of the event loop: finalizers and closed sockets let go of what they hold only then.
  for (let turn = 0; turn < 5; turn++) {
    globalThis.gc?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  writeHeapSnapshot(file)
  process.send?.(file)
}
