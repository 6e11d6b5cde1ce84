// The commands of docs/operate/install.md, block by block, in the order in which a reader of one of its two paths types them.

export interface Block {
  readonly section: string
  /** As it stands on the page. */
  readonly text: string
}

/** The section of what the proof types besides. */
export const NOT_OF_THE_PAGE = 'not of the page'

export interface Path {
  readonly name: string
  readonly sections: readonly string[]
  /** Blocks for the readers of the other path. */
  readonly others: RegExp
}

const AFTER = ['Namespace and certificates', 'Try it']
export const ONE_NODE: Path = {
  name: 'one node',
  sections: ['A cluster: one node', ...AFTER],
  others: /^kind /m,
}
export const KIND: Path = {
  name: 'kind',
  sections: ['Images', 'A cluster: kind', ...AFTER],
  others: /^exit$/m,
}

function blocks(page: string): Block[] {
  let section = ''
  return [...page.matchAll(/^## (.+)$|^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, title, text]) => {
    section = title ?? section
    return text === undefined ? [] : [{ section, text }]
  })
}

/** Throws where the page has no block in one of the sections: its titles have changed. */
export function commandsOf(page: string, { sections, others }: Path): Block[] {
  const all = blocks(page)
  return sections.flatMap((section) => {
    const found = all.filter((block) => block.section === section && !others.test(block.text))
    if (found.length === 0) throw new Error(`docs/operate/install.md has no commands under "${section}"`)
    return found
  })
}

/** The call by curl, from one who has no certificate. */
export function withoutCertificate({ text }: Block): Block {
  const lines = text.replaceAll('\\\n', ' ').split('\n')
  const call = lines.find((line) => line.startsWith('curl '))
  const bare = call?.replace(/--cert \S+ --key \S+ */, '').replaceAll(/ +/g, ' ')
  if (bare === undefined || !call?.includes(' --cert '))
    throw new Error('the page calls without --cert and --key')
  // On a port-forward of its own: kubectl ends one where nginx resets a connection, and the page's is needed again.
  const other = (line: string): string => line.replace('8443', '8444')
  const forward = lines.find((line) => line.includes('port-forward'))
  if (forward === undefined) throw new Error('the page calls without a port-forward')
  return {
    section: NOT_OF_THE_PAGE,
    text: `${other(forward)}\n${other(bare)}\nkill %2 || true\n`,
  }
}
