// In which order files are read: an auditor names them as they come, and a chain may go on from one file in another.
import { isObject, parseExact } from '../../core/json.ts'
import { createLineCutter } from './lines.ts'

/** A file, or what stands for one. */
export interface Source {
  readonly name: string
  /** Its bytes from the beginning, each time it is called. */
  read(): AsyncIterable<Buffer>
}

interface First {
  readonly source: Source
  readonly chain: string
  readonly seq: number
  readonly time: string
}

/**
 * By the time of the first record; files that begin with records of one chain stand by `seq` in the places that they have together, because
 * a clock may have been set back between them.
 * A lone one is not looked at before it is read: it may be a pipe.
 */
export async function inOrder(sources: readonly Source[]): Promise<readonly Source[]> {
  if (sources.length < 2) return sources
  const firsts = await Promise.all(sources.map(peek))
  // Sorting is stable: what has no time stays where it was named, in front.
  firsts.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0))
  const bySeq = Map.groupBy(firsts, ({ chain }) => chain)
  for (const group of bySeq.values()) group.sort((a, b) => a.seq - b.seq)
  return firsts.map(({ chain, source }) => (bySeq.get(chain)?.shift() as First | undefined)?.source ?? source)
}

/** The first record, believed for the order only. */
async function peek(source: Source): Promise<First> {
  let found: First | undefined
  const look = (bytes: Buffer): void => {
    if (found !== undefined) return
    const parsed = parseExact(bytes.toString())
    const record = parsed.ok && isObject(parsed.value) ? parsed.value : {}
    const { chain, seq, time } = record
    found = {
      source,
      // What cannot be read is a chain of its own, so that its place stays.
      chain: typeof chain === 'string' ? chain : `? ${source.name}`,
      seq: typeof seq === 'number' ? seq : 0,
      time: typeof time === 'string' ? time : '',
    }
  }
  const cutter = createLineCutter({ line: look, rest: look })
  for await (const chunk of source.read()) {
    cutter.feed(chunk)
    if (found !== undefined) break
  }
  cutter.end()
  return found ?? { source, chain: `? ${source.name}`, seq: 0, time: '' }
}
