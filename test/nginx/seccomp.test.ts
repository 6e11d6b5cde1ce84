// The system call profiles: each name has a written reason and each reason a name; the proxy's denies by default what no proxy needs.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import type { SeccompProfile } from '../platform/lib/oci.ts'

const FOLDER = resolve(import.meta.dirname, '../../seccomp')
const read = (file: string): string => readFileSync(join(FOLDER, file), 'utf8')

const profile = (file: string): SeccompProfile => JSON.parse(read(file)) as SeccompProfile
const allowed = ({ syscalls }: SeccompProfile): string[] =>
  [
    ...new Set(syscalls.filter(({ action }) => action === 'SCMP_ACT_ALLOW').flatMap(({ names }) => names)),
  ].sort()

const NEVER = [
  ...['execveat', 'ptrace', 'process_vm_readv', 'process_vm_writev', 'pidfd_open', 'pidfd_getfd', 'clone3'],
  ...['mount', 'umount2', 'move_mount', 'open_tree', 'fsopen', 'pivot_root', 'chroot', 'unshare', 'setns'],
  ...[
    'bpf',
    'perf_event_open',
    'userfaultfd',
    'io_uring_setup',
    'io_uring_enter',
    'io_submit',
    'keyctl',
    'add_key',
  ],
  ...[
    'init_module',
    'finit_module',
    'kexec_load',
    'reboot',
    'capset',
    'setgroups',
    'memfd_create',
    'mknod',
    'mknodat',
  ],
]

test('each name has a reason, each reason a name', () => {
  const rows = [...read('reasons.md').matchAll(/^\| `(\w+)` \| (yes)? ?\| (yes)? ?\| (.+) \|$/gm)]
  for (const [column, file] of [
    [2, 'ductape-mcp.json'],
    [3, 'nginx.json'],
  ] as const)
    assert.deepEqual(
      rows.filter((row) => row[column] === 'yes').map((row) => row[1]),
      allowed(profile(file)),
      file,
    )
  for (const row of rows) assert.ok(row[2] ?? row[3], `${row[1]} is in no profile`)
})

test('the proxy: plain OCI keys, both architectures, default deny, nothing twice', () => {
  const nginx = profile('nginx.json')
  assert.deepEqual(Object.keys(nginx).sort(), [
    'architectures',
    'defaultAction',
    'defaultErrnoRet',
    'syscalls',
  ])
  assert.equal(nginx.defaultAction, 'SCMP_ACT_ERRNO')
  assert.equal(nginx.defaultErrnoRet, 1)
  assert.deepEqual(nginx.architectures, ['SCMP_ARCH_X86_64', 'SCMP_ARCH_AARCH64'])
  for (const rule of nginx.syscalls)
    for (const key of Object.keys(rule)) assert.ok(['names', 'action', 'args', 'errnoRet'].includes(key), key)
  const free = nginx.syscalls.filter(({ args }) => args === undefined).flatMap(({ names }) => names)
  assert.equal(new Set(free).size, free.length)
  assert.ok(free.length <= 120, String(free.length))
})

test('the proxy: no name that opens a door, no clone into a namespace', () => {
  const nginx = profile('nginx.json')
  const names = allowed(nginx)
  for (const name of NEVER) assert.ok(!names.includes(name), name)
  // CLONE_NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET and NEWNS: none of these bits (clone(2)).
  assert.deepEqual(
    nginx.syscalls.filter((rule) => rule.names.includes('clone')).map(({ args }) => args),
    [[{ index: 0, value: 0x7e020000, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }]],
  )
  assert.deepEqual(
    nginx.syscalls.filter((rule) => rule.names.includes('clone3')),
    [{ names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 }],
  )
})
