// YAML 1.2 text to plain data with the place of every key and value; what YAML allows and a config must not have is refused.
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import { formatPath, type PathSegment, type Problem } from './problem.ts'

export interface Place {
  readonly key: number
  readonly value: number
}

export interface Reading {
  readonly value: unknown
  readonly problems: readonly Problem[]
  // True when the text is not YAML at all, so that nothing more can be said of it.
  readonly broken: boolean
  // Paths whose value was refused here and stands as undefined in `value`.
  readonly refused: readonly (readonly PathSegment[])[]
  problemAt(path: readonly PropertyKey[], at: keyof Place, message: string, fix: string): Problem
}

const MAX_CHARACTERS = 256 * 1024
const MAX_DEPTH = 16

export function readYaml(text: string, source: string, limit = MAX_CHARACTERS): Reading {
  const lines = new LineCounter()
  const places = new Map<string, Place>()
  const problems: Problem[] = []
  const refused: (readonly PathSegment[])[] = []

  function problem(path: readonly PropertyKey[], offset: number, message: string, fix: string): Problem {
    const { line, col } = lines.linePos(offset)
    return { source, path: formatPath(path), line: Math.max(line, 1), column: Math.max(col, 1), message, fix }
  }

  // A key that is missing has no place of its own: the nearest one around it stands in.
  function problemAt(path: readonly PropertyKey[], at: keyof Place, message: string, fix: string): Problem {
    for (let length = path.length; length > 0; length -= 1) {
      const place = places.get(JSON.stringify(path.slice(0, length)))
      if (place !== undefined) return problem(path, place[length === path.length ? at : 'key'], message, fix)
    }
    return problem(path, 0, message, fix)
  }

  function broken(faults: readonly Problem[]): Reading {
    return { value: undefined, problems: faults, broken: true, refused, problemAt }
  }

  const unfit = unfitText(text, limit)
  if (unfit !== undefined) return broken([problem([], 0, unfit.message, unfit.fix)])

  const document = parseDocument(text, {
    lineCounter: lines,
    version: '1.2',
    schema: 'core',
    strict: true,
    prettyErrors: false, // they would quote the text, and with it a secret that someone wrote into it
    resolveKnownTags: false,
    uniqueKeys: false,
    logLevel: 'error', // 'silent' would also let a second document pass
  })
  const yamlVersion = document.directives?.yaml
  if (yamlVersion?.explicit === true && yamlVersion.version !== '1.2') {
    return broken([problem([], 0, 'asks for another YAML version than 1.2', 'Remove the %YAML line.')])
  }
  const faults = [...document.errors, ...document.warnings]
  const tagFaults = faults.filter((fault) => fault.code === 'TAG_RESOLVE_FAILED')
  if (faults.length > tagFaults.length) {
    return broken(
      faults
        .filter((fault) => fault.code !== 'TAG_RESOLVE_FAILED')
        .map((fault) => {
          const { message, fix } = SYNTAX[fault.code] ?? NOT_YAML
          return problem([], fault.pos[0], message, fix)
        }),
    )
  }

  let tags = 0
  function refuse(path: readonly PathSegment[], offset: number, message: string, fix: string): undefined {
    problems.push(problem(path, offset, message, fix))
    refused.push([...path])
    return undefined
  }

  function convert(node: Node | null, path: readonly PathSegment[]): unknown {
    if (node === null) return null
    const offset = node.range?.[0] ?? 0
    if (isAlias(node)) {
      return refuse(
        path,
        offset,
        'is a YAML alias; a config file has none',
        'Write the value itself in its place.',
      )
    }
    if (node.tag !== undefined) {
      tags += 1
      return refuse(path, offset, 'has a YAML tag ("!..."); a config file has none', 'Remove the tag.')
    }
    if (path.length > MAX_DEPTH) {
      return refuse(
        path,
        offset,
        'is nested too deep',
        'No key of the config is that deep; see `config schema`.',
      )
    }
    if (isScalar(node)) return convertScalar(node.value, path, offset)
    if (isSeq<Node | null>(node)) {
      return node.items.map((item, index) => {
        const at = item?.range?.[0] ?? offset
        const inner = [...path, index]
        places.set(JSON.stringify(inner), { key: at, value: at })
        return convert(item, inner)
      })
    }
    return isMap<Node, Node | null>(node) ? convertMap(node.items, path) : undefined
  }

  function convertScalar(value: unknown, path: readonly PathSegment[], offset: number): unknown {
    if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) {
      return refuse(path, offset, 'is a number too large to be exact', 'Write a smaller number.')
    }
    if (typeof value === 'number' && !Number.isFinite(value)) {
      return refuse(path, offset, 'is not a finite number', 'Write a number in digits.')
    }
    if (typeof value === 'string' && !value.isWellFormed()) {
      return refuse(path, offset, 'holds half of a surrogate pair', 'Write the character itself.')
    }
    return value
  }

  function convertMap(
    items: readonly { key: Node; value: Node | null }[],
    path: readonly PathSegment[],
  ): Record<string, unknown> {
    const result: Record<string, unknown> = {}
    const seen = new Map<string, number>()
    for (const { key, value } of items) {
      const at = key.range?.[0] ?? 0
      if (!isScalar(key) || typeof key.value !== 'string' || key.tag !== undefined) {
        if (isScalar(key) && key.tag !== undefined) tags += 1
        problems.push(
          problem(
            path,
            at,
            'has a key that is not a plain name',
            'Write the name of a key; quote it where it looks like a number.',
          ),
        )
        continue
      }
      const name = key.value
      const inner = [...path, name]
      const fault = keyFault(name, seen.get(name))
      if (fault !== undefined) {
        problems.push(problem(name.isWellFormed() ? inner : path, at, fault.message, fault.fix))
        continue
      }
      seen.set(name, lines.linePos(at).line)
      places.set(JSON.stringify(inner), { key: at, value: value?.range?.[0] ?? at })
      result[name] = convert(value, inner)
    }
    return result
  }

  const value = convert(document.contents as Node | null, [])
  // A tag with an undeclared handle leaves no trace in the tree.
  const [lost] = tagFaults
  if (lost !== undefined && tags === 0) {
    problems.push(
      problem([], lost.pos[0], 'has a YAML tag ("!..."); a config file has none', 'Remove the tag.'),
    )
  }
  return { value, problems, broken: false, refused, problemAt }
}

interface Fault {
  readonly message: string
  readonly fix: string
}

function keyFault(name: string, earlierLine: number | undefined): Fault | undefined {
  if (earlierLine !== undefined) {
    return { message: `stands twice, first on line ${earlierLine}`, fix: 'Keep one of the two.' }
  }
  // Assigning it would set a prototype instead of a member.
  if (name === '__proto__') return { message: 'is no key of a config', fix: 'Remove it.' }
  if (name === '<<')
    return { message: 'is a YAML merge, which is not supported', fix: 'Write the keys themselves.' }
  if (!name.isWellFormed()) return { message: 'has a key with half of a surrogate pair', fix: 'Remove it.' }
  return undefined
}

function unfitText(text: string, limit: number): Fault | undefined {
  if (text.length > limit) {
    return {
      message: `is larger than ${limit / 1024} KiB`,
      fix: 'Give the config file, not another one.',
    }
  }
  if (text.includes('\uFFFD')) return { message: 'is not UTF-8 text', fix: 'Save the file as UTF-8.' }
  if (text.includes('\0'))
    return { message: 'is not a text file', fix: 'Give the config file, not another one.' }
  return undefined
}

const NOT_YAML: Fault = {
  message: 'is not YAML here',
  fix: 'Look at this line and the one before: a missing ":", quote or indentation; quote a value that starts with [ { * & ! | > % @ or `.',
}

// By the parser's code: its own texts quote the file.
const SYNTAX: Readonly<Record<string, Fault>> = {
  BAD_ALIAS: {
    message: 'has a YAML alias without its anchor',
    fix: 'Write the value itself, or quote a value that starts with "*".',
  },
  BAD_DQ_ESCAPE: {
    message: 'has an unknown escape in double quotes',
    fix: 'Use single quotes, or double the backslash.',
  },
  BAD_INDENT: {
    message: 'is indented wrongly, or a bracket before it is still open',
    fix: 'Indent the keys of one map by the same number of spaces; close every bracket.',
  },
  BAD_SCALAR_START: {
    message: 'starts a value with a character that YAML reserves',
    fix: 'Put the value in quotes.',
  },
  BLOCK_AS_IMPLICIT_KEY: {
    message: 'has a second ":" on the line',
    fix: 'Put the value in quotes, or start a new line.',
  },
  BLOCK_IN_FLOW: {
    message: 'has an indented block inside brackets',
    fix: 'Close the bracket, or write it all in one style.',
  },
  BAD_DIRECTIVE: { message: 'has an unknown directive', fix: 'Remove the line that starts with "%".' },
  MISSING_CHAR: {
    message: 'lacks a character here, a quote, bracket, comma or space',
    fix: 'Close what is open on this line or before.',
  },
  MULTILINE_IMPLICIT_KEY: { message: 'has a key without ":"', fix: 'Write "key: value".' },
  MULTIPLE_DOCS: {
    message: 'holds more than one YAML document',
    fix: 'Remove the "---" line and what follows it.',
  },
  RESOURCE_EXHAUSTION: {
    message: 'is nested too deep',
    fix: 'No key of the config is that deep; see `config schema`.',
  },
  TAB_AS_INDENT: { message: 'is indented with a tab', fix: 'Indent with spaces.' },
}
