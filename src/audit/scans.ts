// What an outcome record says of what the scan has found in an answer: rules and counts, never the text.
import type { ScanNote } from '../core/call.ts'

/** Rules in one record */
const MAX_RULES = 16

/** A list as JSON text; the names of rules have a form that needs no escape. */
export function scansText(notes: readonly ScanNote[]): string {
  const shown = notes.slice(0, MAX_RULES).map(noteText)
  return `[${shown.join()}]`
}

const noteText = ({ action, count, detector, rule }: ScanNote): string =>
  `{"action":"${action}","count":${count},"detector":"${detector}","rule":"${rule}"}`
