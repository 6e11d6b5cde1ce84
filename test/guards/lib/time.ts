// How long a guard takes for a text: the best of several runs, since the machine may be doing something else.
export function milliseconds(run: () => unknown): number {
  const once = (): number => {
    const start = performance.now()
    run()
    return performance.now() - start
  }
  return Math.min(...Array.from({ length: 5 }, once))
}
