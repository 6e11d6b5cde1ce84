// Pieces of real text and JSON, cut at places that a seed chooses from the files of installed packages.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { random } from './random.ts'

const PACKAGES = fileURLToPath(new URL('../../../node_modules/', import.meta.url))
const TEXT = /\.(?:md|json|txt|ya?ml|html?)$|^(?:LICEN[CS]E|README|CHANGELOG|AUTHORS|NOTICE)/i
export const PIECE = 10 * 1024

function files(folder: string, found: string[], depth = 0): string[] {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory() && depth < 8) files(path, found, depth + 1)
    else if (entry.isFile() && TEXT.test(entry.name) && statSync(path).size >= 200) found.push(path)
  }
  return found
}

export interface Piece {
  file: string
  at: number
  text: string
}

/** So many pieces; each file is as likely as its size, and a short one is a piece of its own. */
export function* benignPieces(count: number, seed: number): Generator<Piece> {
  const next = random(seed)
  const paths = files(PACKAGES, []).sort()
  const ends: number[] = []
  let total = 0
  for (const path of paths) {
    total += Math.min(statSync(path).size, 40 * PIECE)
    ends.push(total)
  }
  for (let i = 0; i < count; i++) {
    const aim = next() * total
    let low = 0
    let high = ends.length - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if ((ends[middle] as number) > aim) high = middle
      else low = middle + 1
    }
    const file = paths[low] as string
    const source = readFileSync(file, 'utf8')
    const at = Math.floor(next() * Math.max(1, source.length - PIECE))
    yield { file: file.slice(PACKAGES.length), at, text: source.slice(at, at + PIECE) }
  }
}
