// SECURITY.md answers every threat of the tables in seeds 002 and 004 with a control and a test that exists, or with the issue that brings it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { page, plannedFaults, referenceFault, tableRows, testReferences } from './pages.ts'

const THREATS = [
  'Prompt injection',
  'Parameter manipulation',
  'Tool confusion',
  'Resource exhaustion',
  'Information disclosure',
  'Unauthorized tool access',
  'Prompt injection via resources',
  'Data exfiltration via results',
  'SSRF via MCP tools',
  'Credential theft',
  'Denial of service',
  'Man-in-the-middle',
  'Supply chain compromise',
]

const security = page('SECURITY.md').text
const section = security.split(/^## /m).find((part) => part.startsWith('Threats')) ?? ''
const rows = tableRows(section)

test('each threat of the seeds has one row', () => {
  const listed = rows.map(([threat = '']) => threat)
  for (const threat of THREATS) {
    assert.equal(listed.filter((name) => name === threat).length, 1, `${threat} has to stand once`)
  }
})

test('each threat has a control, and a test or a planned part', () => {
  for (const [threat, source, control = '', shown = ''] of rows) {
    assert.match(source ?? '', /^00[24]$|^own$/, `${threat} names no source`)
    assert.ok(control.length > 20, `${threat} has no control`)
    const references = testReferences(shown)
    assert.ok(
      references.length > 0 || /later: .*\(issue [4-8]\)/.test(shown),
      `${threat} is shown by nothing`,
    )
    assert.deepEqual(
      [...references.map(referenceFault).filter((fault) => fault !== undefined), ...plannedFaults(shown)],
      [],
    )
  }
})

test('the page has every part of a threat model', () => {
  for (const part of [
    'Reporting',
    'Supported versions',
    'Assets',
    'Trust boundaries',
    'Actors',
    'Guarantees',
    'Threats',
    'Not a vulnerability',
  ]) {
    assert.match(security, new RegExp(`^## ${part}`, 'm'))
  }
})

test('every test that the page names exists', () => {
  assert.deepEqual(
    testReferences(security)
      .map(referenceFault)
      .filter((fault) => fault !== undefined),
    [],
  )
})
