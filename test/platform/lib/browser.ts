// A real Chromium, driven by Playwright from test/platform/peers: only the members that the tests use, because the peers bring no types to `npm test`.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { PEERS, path } from './tools.ts'

export interface Locator {
  click(): Promise<void>
  fill(text: string): Promise<void>
  textContent(): Promise<string | null>
  isVisible(): Promise<boolean>
  isDisabled(): Promise<boolean>
  waitFor(options?: { state?: 'visible' | 'hidden' }): Promise<void>
  count(): Promise<number>
}

export interface Page {
  goto(url: string): Promise<unknown>
  reload(): Promise<unknown>
  url(): string
  locator(selector: string, options?: { hasText: string }): Locator
  evaluate<T>(work: string): Promise<T>
  screenshot(options: { path: string; fullPage: boolean }): Promise<unknown>
  setViewportSize(size: { width: number; height: number }): Promise<void>
  emulateMedia(media: { colorScheme: 'light' | 'dark' }): Promise<void>
  on(event: string, listener: (event: never) => void): void
  keyboard: { press(key: string): Promise<void>; type(text: string): Promise<void> }
  close(): Promise<void>
}

export interface Context {
  newPage(): Promise<Page>
  close(): Promise<void>
}

export interface Browser {
  newContext(): Promise<Context>
  close(): Promise<void>
}

export interface Violation {
  id: string
  nodes: { html: string; failureSummary?: string }[]
}

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

const load = async (file: string): Promise<Record<string, unknown>> =>
  (await import(pathToFileURL(join(PEERS, file)).href)) as Record<string, unknown>

export async function startBrowser(): Promise<Browser> {
  const { chromium } = (await load('playwright-core/index.mjs')) as {
    chromium: { launch(options: object): Promise<Browser> }
  }
  return chromium.launch({ executablePath: path('chromium'), args: FLAGS })
}

/** What the rules of axe find on the page as it stands. */
export async function axe(page: Page): Promise<Violation[]> {
  const { AxeBuilder } = (await load('@axe-core/playwright/dist/index.mjs')) as {
    AxeBuilder: new (options: object) => { analyze(): Promise<{ violations: Violation[] }> }
  }
  return (await new AxeBuilder({ page }).analyze()).violations
}
