// The system call profile: plain OCI form, default deny, no way to make a process, a mount or a namespace, and no growth unseen.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { SECCOMP_PROFILE, seccompProfile } from './lib/oci.ts'

// containerd reads the file straight into the OCI structure and ignores other keys without a word.
const KEYS = {
  profile: ['architectures', 'defaultAction', 'defaultErrnoRet', 'syscalls'],
  rule: ['action', 'args', 'errnoRet', 'names'],
}

const NEVER = [
  ...['fork', 'vfork', 'execveat', 'ptrace', 'process_vm_readv', 'process_vm_writev', 'pidfd_open', 'kill'],
  ...['mount', 'umount2', 'move_mount', 'open_tree', 'fsopen', 'pivot_root', 'chroot', 'unshare', 'setns'],
  ...['bpf', 'perf_event_open', 'userfaultfd', 'io_uring_setup', 'io_uring_enter', 'keyctl', 'add_key'],
  ...[
    'init_module',
    'finit_module',
    'kexec_load',
    'reboot',
    'setuid',
    'setgid',
    'setgroups',
    'capset',
    'memfd_create',
  ],
]

test('only keys that every runtime reads', () => {
  const raw = JSON.parse(readFileSync(SECCOMP_PROFILE, 'utf8')) as Record<string, unknown>
  assert.deepEqual(Object.keys(raw).sort(), KEYS.profile)
  for (const rule of seccompProfile().syscalls)
    for (const key of Object.keys(rule)) assert.ok(KEYS.rule.includes(key), key)
})

test('denies by default on both architectures, without a 32-bit one', () => {
  const { defaultAction, defaultErrnoRet, architectures } = seccompProfile()
  assert.equal(defaultAction, 'SCMP_ACT_ERRNO')
  assert.equal(defaultErrnoRet, 1)
  assert.deepEqual(architectures, ['SCMP_ARCH_X86_64', 'SCMP_ARCH_AARCH64'])
})

test('allows at most 95 names without condition, none of the dangerous ones, and clone only for threads', () => {
  const { syscalls } = seccompProfile()
  const allowed = syscalls.filter(({ action }) => action === 'SCMP_ACT_ALLOW')
  const free = allowed.filter(({ args }) => args === undefined).flatMap(({ names }) => names)
  assert.equal(new Set(free).size, free.length)
  assert.ok(free.length <= 95, String(free.length))
  const all = allowed.flatMap(({ names }) => names)
  for (const name of [...NEVER, 'clone3']) assert.ok(!all.includes(name), name)
  assert.deepEqual(
    allowed.filter(({ names }) => names.includes('clone')).map(({ args }) => args),
    [[{ index: 0, value: 0x10000, valueTwo: 0x10000, op: 'SCMP_CMP_MASKED_EQ' }]],
  )
  // glibc falls back to clone only on ENOSYS.
  assert.deepEqual(
    syscalls.filter(({ names }) => names.includes('clone3')),
    [{ names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 }],
  )
})
