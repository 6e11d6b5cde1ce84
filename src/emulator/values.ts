// Reading untrusted JSON: typed members, or a refusal that names the member.

import { isObject, type Json, type JsonObject } from '../core/json.ts'
import { malformed } from './refusal.ts'

export { isObject, type Json, type JsonObject }

// A handler may also answer with a raw number (JSON.rawJSON), so results are wider than what arrives.
export type Result = unknown

export function asObject(value: Json | undefined, name: string): JsonObject {
  if (!isObject(value)) throw malformed(`${name} must be an object`)
  return value
}

export function asText(value: Json | undefined, name: string): string {
  if (value === undefined || value === null) throw malformed(`${name} is required`)
  if (typeof value !== 'string') throw malformed(`${name} must be a string`)
  if (value === '') throw malformed(`${name} is not allowed to be empty`)
  return value
}

// The first of several spellings that is present: the contract has aliases for many members.
export function pick(data: JsonObject, names: readonly string[]): Json | undefined {
  for (const name of names) {
    const value = Object.hasOwn(data, name) ? data[name] : undefined
    if (value !== undefined && value !== null) return value
  }
  return undefined
}

export const text = (data: JsonObject, ...names: string[]): string =>
  asText(pick(data, names), names[0] ?? '')

export function optionalText(data: JsonObject, ...names: string[]): string | undefined {
  const value = pick(data, names)
  if (value !== undefined && typeof value !== 'string') throw malformed(`${names[0]} must be a string`)
  return value
}

export function optionalNumber(data: JsonObject, ...names: string[]): number | undefined {
  const value = pick(data, names)
  if (value === undefined) return undefined
  if (typeof value !== 'number') throw malformed(`${names[0]} must be a number`)
  return value
}

export function wholeNumber(data: JsonObject, name: string, fallback: number, max: number): number {
  const value = optionalNumber(data, name)
  if (value === undefined) return fallback
  if (!Number.isInteger(value) || value < 0) throw malformed(`${name} must be a whole number of 0 or more`)
  return Math.min(value, max)
}

export function flag(data: JsonObject, name: string, fallback = false): boolean {
  const value = pick(data, [name])
  if (value === undefined) return fallback
  if (typeof value !== 'boolean') throw malformed(`${name} must be a boolean`)
  return value
}

export function optionalObject(data: JsonObject, ...names: string[]): JsonObject | undefined {
  const value = pick(data, names)
  return value === undefined ? undefined : asObject(value, names[0] ?? '')
}

export function optionalList(data: JsonObject, ...names: string[]): Json[] | undefined {
  const value = pick(data, names)
  if (value === undefined) return undefined
  if (!Array.isArray(value)) throw malformed(`${names[0]} must be an array`)
  return value
}

export function list(data: JsonObject, ...names: string[]): Json[] {
  const value = optionalList(data, ...names)
  if (value === undefined) throw malformed(`${names[0]} is required`)
  return value
}

export const textList = (values: readonly Json[], name: string): string[] =>
  values.map((value) => asText(value, `every item of ${name}`))

export function numberList(values: readonly Json[], name: string): number[] {
  return values.map((value) => {
    if (typeof value !== 'number') throw malformed(`every item of ${name} must be a number`)
    return value
  })
}

export const iso = (ms: number): string => new Date(ms).toISOString()

// Date from ISO text or milliseconds; a value that is neither is refused.
export function instant(value: Json | undefined, name: string): number | undefined {
  if (value === undefined || value === null) return undefined
  const ms = typeof value === 'number' ? value : typeof value === 'string' ? Date.parse(value) : Number.NaN
  if (!Number.isFinite(ms) || Math.abs(ms) > 8.64e15) throw malformed(`${name} must be a date`)
  return ms
}

// Iterative, because a recursive check would itself be the overflow that it looks for.
export function depthWithin(value: unknown, limit: number): boolean {
  let level: unknown[] = [value]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > limit) return false
    const next: unknown[] = []
    for (const item of level) {
      if (typeof item !== 'object' || item === null) continue
      for (const child of Array.isArray(item) ? item : Object.values(item)) next.push(child)
    }
    level = next
  }
  return true
}

export interface Page {
  page: number
  limit: number
}

export function pageOf(data: JsonObject, defaultLimit = 20): Page {
  return {
    page: Math.max(1, wholeNumber(data, 'page', 1, 1_000_000)),
    limit: Math.max(1, wholeNumber(data, 'limit', defaultLimit, 1000)),
  }
}

export const slice = <T>(items: readonly T[], { page, limit }: Page): T[] =>
  items.slice((page - 1) * limit, page * limit)

// Unknown names come from outside: Object.fromEntries defines them, so no name can reach a prototype.
export const merge = (base: JsonObject, changes: JsonObject): JsonObject => ({ ...base, ...changes })
