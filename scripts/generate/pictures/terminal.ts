// Draws the lines of a terminal as SVG, in which they stay text.
const WIDTH = 8.4
const HEIGHT = 18
const MARGIN = 16

export const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')

export function terminalSvg(text: string): string {
  const lines = text.trimEnd().split('\n')
  const columns = Math.max(...lines.map((line) => line.length))
  const width = Math.ceil(columns * WIDTH + 2 * MARGIN)
  const height = lines.length * HEIGHT + 2 * MARGIN
  const rows = lines.map((line, row) =>
    line === ''
      ? ''
      : // The length is given, because the font is whichever monospaced one is there.
        `<text x="${MARGIN}" y="${MARGIN + HEIGHT * (row + 0.75)}" textLength="${(line.length * WIDTH).toFixed(1)}">${escaped(line)}</text>\n`,
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="ductape-mcp top">
<!-- Made by node scripts/generate/pictures.ts from what the command wrote. Do not edit. -->
<style>text { font: 14px ui-monospace, monospace; fill: #e6e6e6; white-space: pre }</style>
<rect width="100%" height="100%" rx="6" fill="#16181d"/>
${rows.join('')}</svg>
`
}
