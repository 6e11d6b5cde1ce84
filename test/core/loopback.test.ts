// Which hosts count as this machine: what a URL parser or an address gives, and nothing that only looks like it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isLoopback } from '../../src/core/loopback.ts'

for (const host of ['localhost', '127.0.0.1', '127.255.255.254', '::1', '[::1]'])
  test(`${host} is this machine`, () => assert.equal(isLoopback(host), true))

for (const host of [
  '',
  '127.0.0.1.example.com',
  '127.0.0.256',
  '127.0.0.01',
  '127.1',
  '128.0.0.1',
  '0.0.0.0',
  'localhost.example.com',
  'LOCALHOST',
  '::2',
  '[::1',
])
  test(`${host || 'nothing'} is not`, () => assert.equal(isLoopback(host), false))
