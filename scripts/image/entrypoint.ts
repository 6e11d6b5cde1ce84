// What the image starts: Node, its flags and the bundle, from the Dockerfile, which is the one place where they stand.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export function entrypoint(): string[] {
  const dockerfile = readFileSync(join(import.meta.dirname, '../../Dockerfile'), 'utf8')
  const json = /^ENTRYPOINT (\[.*\])$/m.exec(dockerfile.replaceAll('\\\n', ' '))?.[1]
  if (json === undefined) throw new Error('the Dockerfile has no ENTRYPOINT in JSON')
  return JSON.parse(json) as string[]
}
