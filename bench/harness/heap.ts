// Preloaded into a service under soak (`--expose-gc --import`): answers `{ heap: true }` over IPC with its memory after a GC.

const gc = (globalThis as { gc?: () => void }).gc
const turn = () => new Promise((resolve) => setImmediate(resolve))

async function collect(): Promise<void> {
  // Twice with turns between: finalisers and closed sockets of the first collection free what only the second can take.
  for (let i = 0; i < 2; i++) {
    for (let j = 0; j < 4; j++) await turn()
    gc?.()
  }
}

process.on('message', (message) => {
  if (typeof message !== 'object' || message === null || !('heap' in message)) return
  void collect().then(() => process.send?.({ heap: process.memoryUsage() }))
})
// The channel must not keep the service alive when it has drained.
process.channel?.unref()
