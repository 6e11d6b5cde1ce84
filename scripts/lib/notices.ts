// The licence texts of the packages whose code went into the bundle: most of them ask that the text travels along.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

interface Manifest {
  readonly name: string
  readonly version: string
  readonly license?: string
  /** How manifests named it before 2014. */
  readonly licenses?: readonly { readonly type: string }[]
}

/** Packages whose compiled files hold works of others that their own licence does not name, and the file with the texts of those. */
const INSIDE: Readonly<Record<string, string>> = { 'libpg-query': 'libpg-query-notices.txt' }

/** The innermost package folder of a bundled file, or nothing when the file is our own. */
function packageFolder(input: string): string | undefined {
  return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0]
}

/** `inputs` are paths relative to `root`, as esbuild's metafile names them. */
export function thirdPartyNotices(root: string, inputs: readonly string[]): string {
  const folders = new Set(inputs.map(packageFolder).filter((folder) => folder !== undefined))
  const sections = [...folders].map((folder) => {
    const path = join(root, folder)
    const manifest = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as Manifest
    const file = readdirSync(path)
      .filter((name) => /^(licen[cs]e|copying)(\.|$|-)/i.test(name))
      .sort()[0]
    const text = file === undefined ? '' : `\n${readFileSync(join(path, file), 'utf8').trim()}\n`
    const notice = join(path, 'NOTICE')
    const extra = existsSync(notice) ? `\n${readFileSync(notice, 'utf8').trim()}\n` : ''
    const inside = INSIDE[manifest.name]
    const others =
      inside === undefined ? '' : `\n${readFileSync(join(import.meta.dirname, inside), 'utf8').trim()}\n`
    return `${manifest.name} ${manifest.version} (${manifest.license ?? manifest.licenses?.[0]?.type ?? 'no licence named'})\n${text}${extra}${others}`
  })
  return `This bundle holds code of these packages.\n\n${sections.sort().join(`\n${'-'.repeat(80)}\n`)}`
}
