// The effective config as a file again: every key, marked as default or set.
import * as z from 'zod'
import { isObject, member } from '../core/json.ts'
import { CONFIG_KEYS } from './keys.ts'
import { type Config, type ConfigInput, configSchema } from './schema.ts'

// The config as it would be written in a file: units in the value, addresses as text.
export function configInput(config: Config): ConfigInput {
  return z.encode(configSchema, config as z.output<typeof configSchema>)
}

export function printConfig(config: Config): string {
  const input = configInput(config)
  const lines = entries(input, configInput(configSchema.parse({})), '')
  // An entry of a list or map has keys of its own only where there is one.
  for (const { path, home } of CONFIG_KEYS)
    if (home === 'config.yaml' && !/[[<]/.test(path) && valueAt(input, path) === undefined)
      lines.push(`# not set: ${path}`)
  return `${lines.join('\n')}\n`
}

function entries(map: Readonly<Record<string, unknown>>, standard: unknown, indent: string): string[] {
  return Object.entries(map).flatMap(([name, value]) => {
    // An optional key without a value stands as undefined; printed it would be null, which is refused.
    if (value === undefined) return []
    const usual = member(standard, name)
    const key = /^[A-Za-z][A-Za-z0-9]*$/.test(name) ? name : JSON.stringify(name)
    const inner = isObject(value) ? entries(value, usual, `${indent}  `) : []
    if (inner.length > 0) return [`${indent}${key}:`, ...inner]
    const mark = JSON.stringify(value) === JSON.stringify(usual) ? 'default' : 'set'
    return [`${indent}${key}: ${scalar(value)} # ${mark}`]
  })
}

const RESERVED = new Set(['true', 'false', 'null'])

// JSON is YAML; plain words stay unquoted because that is how people write them.
function scalar(value: unknown): string {
  const plain = typeof value === 'string' && /^[a-z]+$/.test(value) && !RESERVED.has(value)
  return plain ? value : JSON.stringify(value)
}

function valueAt(root: unknown, path: string): unknown {
  return path.split('.').reduce((value, name) => member(value, name), root)
}
