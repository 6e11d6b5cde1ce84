// The config section `store`: what it accepts, its defaults, and the sentence and place of every refusal.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { storeSection } from '../../src/store/config.ts'

const URL_OK = 'rediss://redis.internal:6379/0'

const issuesOf = (redis: unknown): { path: string; message: string }[] => {
  const parsed = storeSection.safeParse({ redis })
  if (parsed.success) return []
  return parsed.error.issues
    .flatMap((issue) => (issue.code === 'invalid_union' ? (issue.errors[1] ?? []) : [issue]))
    .map(({ path, message }) => ({ path: path.join('.'), message }))
}

describe('the section store', () => {
  test('is memory, or a server with defaults', () => {
    assert.equal(storeSection.parse('memory'), 'memory')
    assert.deepEqual(storeSection.parse({ redis: { url: URL_OK } }), {
      redis: { url: URL_OK, prefix: 'ductape-mcp', timeout: 500 },
      maxReplicas: 3,
    })
    for (const wrong of ['redis', {}, { redis: {} }, null, [], { redis: { url: URL_OK }, maxReplicas: 0 }])
      assert.equal(storeSection.safeParse(wrong).success, false, JSON.stringify(wrong))
    for (const maxReplicas of [101, 1.5, '3'])
      assert.equal(storeSection.safeParse({ redis: { url: URL_OK }, maxReplicas }).success, false)
  })

  test('takes all of its keys', () => {
    const redis = {
      url: URL_OK,
      username: 'ductape-mcp',
      password: { file: '/run/secrets/password' },
      ca: { file: '/run/ca.crt' },
      cert: { file: '/run/tls.crt' },
      key: { file: '/run/tls.key' },
      prefix: 'release-b',
      timeout: '1s',
    }
    assert.deepEqual(storeSection.parse({ redis, maxReplicas: 100 }), {
      redis: { ...redis, timeout: 1000 },
      maxReplicas: 100,
    })
  })

  for (const url of [
    'rediss://a',
    'rediss://redis:6380',
    'rediss://10.0.0.7:6379/15',
    'rediss://[2001:db8::7]:6379/0',
    'rediss://a-b.c.d:1/0',
    'redis://127.0.0.1:6379/0',
    'redis://127.1.2.3',
    'redis://localhost:6379',
    'redis://[::1]:6379/0',
  ]) {
    test(`takes ${url}`, () => assert.deepEqual(issuesOf({ url }), []))
  }

  for (const url of [
    'redis://redis.internal:6379/0',
    'redis://10.0.0.7:6379',
    'redis://127.0.0.1.example.com:6379',
    'redis://localhost.example.com',
    'redis://128.0.0.1',
    'redis://127.1',
    'redis://[::2]',
  ]) {
    test(`refuses ${url}: plain text that leaves the host`, () => {
      const [issue, ...others] = issuesOf({ url })
      assert.equal(issue?.path, 'redis.url')
      if (url !== 'redis://127.1') assert.match(issue?.message ?? '', /plain redis/)
      assert.deepEqual(others, [])
    })
  }

  for (const url of [
    '',
    'rediss://',
    'rediss:///0',
    'redis.internal:6379',
    'https://redis.internal',
    'rediss://user:password@redis.internal:6379/0',
    'rediss://user@redis.internal',
    'rediss://redis.internal:6379/0?tls=false',
    'rediss://redis.internal:6379/0#x',
    'rediss://redis.internal:6379/name',
    'rediss://redis.internal:6379/01',
    'rediss://redis.internal:0',
    'rediss://redis.internal:65536',
    'rediss://Redis.internal',
    'rediss://redis_internal',
    'rediss://[::zz]',
    'rediss://[1:2]',
    'rediss://redis.internal:6379/0\n',
    'rediss://redis .internal',
    'unix:///run/redis.sock',
    `rediss://${'a'.repeat(3000)}`,
    6379,
  ]) {
    test(`refuses ${JSON.stringify(url).slice(0, 60)}`, () => {
      const found = issuesOf({ url })
      assert.ok(found.length > 0)
      for (const { path, message } of found) {
        assert.equal(path, 'redis.url')
        assert.ok(!message.includes('password@'), 'no value is repeated')
      }
    })
  }

  test('says what belongs together, at the key that has to change', () => {
    const [password, cert, key] = ['p', 'c', 'k'].map((name) => ({ file: `/run/${name}` }))
    const at = (redis: object) => issuesOf({ url: URL_OK, ...redis }).map(({ path }) => path)
    assert.deepEqual(at({ username: 'u' }), ['redis.username'])
    assert.deepEqual(at({ username: 'u', password }), [])
    assert.deepEqual(at({ password }), [])
    assert.deepEqual(at({ cert }), ['redis.cert'])
    assert.deepEqual(at({ key }), ['redis.key'])
    assert.deepEqual(at({ cert, key }), [])
    assert.deepEqual(at({ url: 'redis://localhost', ca: cert }), ['redis.url'])
    assert.deepEqual(at({ password: 'secret in the file itself' }), ['redis.password'])
    for (const prefix of ['', 'A', 'a:b', 'a*', '-a', 'a-', 'a'.repeat(65), 'a b', 'a\n'])
      assert.deepEqual(at({ prefix }), ['redis.prefix'], prefix)
    for (const username of ['', 'a b', 'a\n', 'ä', 'a'.repeat(129)])
      assert.deepEqual(at({ username, password }), ['redis.username'], username)
    for (const timeout of ['49ms', '11s', '0ms', '500', 500])
      assert.deepEqual(at({ timeout }), ['redis.timeout'])
  })
})
