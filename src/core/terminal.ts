// Makes foreign text safe for a terminal and for a pipe: what moves the cursor, hides or reorders text is shown as \uXXXX, which JSON reads back.

// Line feed and tab stay; half a surrogate pair goes too.
const UNSAFE = /[[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]--[\n\t]]/gv

export function terminalText(text: string): string {
  return text.replace(UNSAFE, (character) => {
    let escaped = ''
    for (let i = 0; i < character.length; i++)
      escaped += `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`
    return escaped
  })
}

/** A JSON document of several lines; it means the same value after escaping. */
export const terminalJson = (value: unknown): string => `${terminalText(JSON.stringify(value, null, 2))}\n`

/** Foreign text inside a sentence of ours: one line, bounded. */
export function terminalPhrase(text: string): string {
  const line = terminalText(text.slice(0, 1000)).replace(/\s+/g, ' ').trim()
  return line.length > 500 ? `${line.slice(0, 499)}…` : line
}
