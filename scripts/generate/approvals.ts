// Writes the approval page as texts into one module, so that the service needs no file beside its bundle.
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const FOLDER = resolve(import.meta.dirname, '../../src/http/approvals/page')

export const APPROVAL_PAGE_PATH = 'src/http/approvals/assets.json'

export function approvalPageText(): string {
  const text = (name: string): string => readFileSync(join(FOLDER, name), 'utf8')
  const files = { html: text('page.html'), css: text('page.css'), js: text('page.js'), text: text('text.js') }
  return `${JSON.stringify(files, null, 2)}\n`
}
