// Foreign text on the approval page: always text nodes, with everything marked that the eye would miss, and JSON as the text that it is.

// What could not be seen, reorders or overlays others or passes for a plain space; a run of one character is one mark.
const MARKS =
  /([\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Zs}|(?<=[\x20-\x7e])[\p{Mn}\p{Me}])\1*| {4,}|[^\x20-\x7e]+?(?=[\x20-\x7e\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{Zs}\p{Default_Ignorable_Code_Point}\u2800]|$)/gu

export function element(name, className, ...children) {
  const made = document.createElement(name)
  if (className !== '') made.className = className
  made.append(...children)
  return made
}

const codeOf = (character) => `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}`

/** Foreign text as text nodes, with everything marked that the eye would miss. */
export function safe(text) {
  const parts = document.createDocumentFragment()
  let from = 0
  for (const match of text.matchAll(MARKS)) {
    const [run, hidden] = match
    parts.append(text.slice(from, match.index))
    from = match.index + run.length
    if (hidden === undefined && run[0] !== ' ') parts.append(element('span', 'other', run))
    else {
      const times = run.length / (hidden ?? ' ').length
      parts.append(element('span', 'hidden', codeOf(run) + (times === 1 ? '' : ` ×${times}`)))
    }
  }
  parts.append(text.slice(from))
  return parts
}

/** A string of the JSON text; a new line stays visible as what it is and gets a line of its own. */
function shownString(literal) {
  const made = element('span', 'string')
  const lines = literal.split(/(?<=(?<!\\)(?:\\\\)*\\n)/)
  for (const [index, line] of lines.entries()) {
    if (index > 0) made.append('\n')
    made.append(safe(line))
  }
  return made
}

/** Canonical JSON with line breaks and indentation between its tokens; no character of the text itself is changed or left out. */
export function shownJson(text) {
  const parts = document.createDocumentFragment()
  let depth = 0
  const newline = () => parts.append(`\n${'  '.repeat(depth)}`)
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[[\]{}:,]|[^"[\]{}:,]+/gsu) ?? []
  for (const [index, one] of tokens.entries()) {
    const next = tokens[index + 1]
    if (one === '{' || one === '[') {
      parts.append(one)
      if (next === '}' || next === ']') continue
      depth++
      newline()
    } else if (one === '}' || one === ']') {
      const last = tokens[index - 1]
      if (last !== '{' && last !== '[') {
        depth--
        newline()
      }
      parts.append(one)
    } else if (one === ',') {
      parts.append(one)
      newline()
    } else if (one === ':') parts.append(': ')
    else if (one[0] === '"') parts.append(shownString(one))
    else parts.append(safe(one))
  }
  return parts
}
