// Durations and sizes carry their unit in the value: text to number of milliseconds or bytes, and back.

export interface Scale {
  readonly noun: string
  readonly units: ReadonlyMap<string, number>
  readonly example: string
}

export const DURATION: Scale = {
  noun: 'duration',
  units: new Map([
    ['ms', 1],
    ['s', 1000],
    ['m', 60_000],
    ['h', 3_600_000],
  ]),
  example: '30s',
}

export const SIZE: Scale = {
  noun: 'size',
  units: new Map([
    ['B', 1],
    ['KiB', 1024],
    ['MiB', 1024 ** 2],
    ['GiB', 1024 ** 3],
  ]),
  example: '1MiB',
}

// One spelling per value: no sign, no leading zero, no fraction, no space before the unit.
export function unitPattern(scale: Scale): string {
  return `^(0|[1-9][0-9]{0,14})(${[...scale.units.keys()].join('|')})$`
}

export function parseUnit(scale: Scale, text: string): number | undefined {
  const match = new RegExp(unitPattern(scale)).exec(text)
  const factor = scale.units.get(match?.[2] ?? '')
  const value = Number(match?.[1]) * (factor ?? Number.NaN)
  return Number.isSafeInteger(value) ? value : undefined
}

// The largest unit that divides the value, so that 60000 reads as 1m and 1500 as 1500ms.
export function formatUnit(scale: Scale, value: number): string {
  let text = ''
  for (const [unit, factor] of scale.units) {
    if (text === '' || (value !== 0 && value % factor === 0)) text = `${value / factor}${unit}`
  }
  return text
}
