/**
 * Stands in for vitest where that does not run: as much of it as the tests use, through `@effect/vitest` or directly. Tests are collected
 * while their file is imported, and run one after the other. Those that match a pattern of `WIRESTACK_LACKS` are skipped.
 */
import { assert, expect as chaiExpect } from "chai"

type Body = (context: any) => unknown
type Hook = () => unknown

interface Test {
  readonly name: string
  readonly body: Body
  readonly suite: Suite
}

interface Suite {
  readonly name: string
  readonly parent: Suite | undefined
  readonly before: Array<Hook>
  readonly after: Array<Hook>
  readonly once: Array<Hook>
  readonly last: Array<Hook>
  begun: boolean
}

/** What became of a file's tests. */
export interface Report {
  readonly passed: number
  readonly skipped: number
  readonly failed: ReadonlyArray<{ readonly name: string; readonly error: string }>
}

const suiteOf = (name: string, parent: Suite | undefined): Suite => ({
  name,
  parent,
  before: [],
  after: [],
  once: [],
  last: [],
  begun: false
})

let suite = suiteOf("", undefined)
let tests: Array<Test> = []
let suites: Array<Suite> = [suite]
let skipped = 0

const bodyOf = (args: ReadonlyArray<unknown>): Body => args.find((arg) => typeof arg === "function") as Body

const lacks = (JSON.parse(process.env.WIRESTACK_LACKS ?? "[]") as ReadonlyArray<string>).map((source) =>
  new RegExp(source)
)

const add = (name: string, ...args: ReadonlyArray<unknown>): void => {
  const test = { name, body: bodyOf(args), suite }
  if (lacks.some((pattern) => pattern.test(titleOf(test)))) skip()
  else tests.push(test)
}

const skip = (): void => {
  skipped++
}

const isSkipped = (condition: unknown) => condition === true ? skip : add

/** Each of several cases, which are given to the test. */
const each = (cases: ReadonlyArray<unknown>) => (name: string, ...args: ReadonlyArray<unknown>): void => {
  const body = bodyOf(args) as (one: unknown, context: unknown) => unknown
  for (const one of cases) add(`${name} ${JSON.stringify(one)}`, (context: unknown) => body(one, context))
}

export const it = Object.assign(add, {
  skip,
  skipIf: isSkipped,
  runIf: (condition: unknown) => isSkipped(condition !== true),
  only: add,
  fails: skip,
  for: each,
  each
})

const describeHere = (name: string, ...args: ReadonlyArray<unknown>): void => {
  const around = suite
  suite = suiteOf(name, around)
  suites.push(suite)
  bodyOf(args)(undefined)
  suite = around
}

export const describe = Object.assign(describeHere, {
  skipIf: (condition: unknown) => condition === true ? skip : describeHere,
  each: (cases: ReadonlyArray<unknown>) => (name: string, body: (one: unknown) => void): void => {
    for (const one of cases) describeHere(`${name} ${JSON.stringify(one)}`, () => body(one))
  }
})

export const beforeEach = (hook: Hook): void => void suite.before.push(hook)
export const afterEach = (hook: Hook): void => void suite.after.push(hook)
export const beforeAll = (hook: Hook): void => void suite.once.push(hook)
export const afterAll = (hook: Hook): void => void suite.last.push(hook)

export { assert }

export const expect = Object.assign(chaiExpect, { addEqualityTesters: () => undefined })

/** Types were checked by the compiler. */
export const expectTypeOf = (): unknown => anything

const anything: any = new Proxy(() => anything, { get: () => anything })

export const TestRunner = { getCurrentSuite: () => ({ tasks: [] }) }

const path = (suite: Suite | undefined): ReadonlyArray<Suite> =>
  suite === undefined ? [] : [...path(suite.parent), suite]

const titleOf = ({ name, suite }: Pick<Test, "name" | "suite">): string =>
  [...path(suite).slice(1).map(({ name }) => name), name].join(" > ")

const messageOf = (error: unknown): string => error instanceof Error ? `${error.name}: ${error.message}` : String(error)

/** Milliseconds for a test. */
const patience = 30_000

const late = (): Promise<never> =>
  new Promise((_, reject) => {
    const timer: unknown = setTimeout(() => reject(new Error(`not done after ${patience} ms`)), patience)
    if (typeof timer === "object" && timer !== null && "unref" in timer) (timer as { unref(): void }).unref()
  })

const runTest = async ({ body, name, suite }: Test): Promise<void> => {
  const around = path(suite)
  const finished: Array<Hook> = []
  for (const one of around) {
    const hooks = one.begun ? one.before : [...one.once, ...one.before]
    one.begun = true
    for (const hook of hooks) await hook()
  }
  const context = {
    signal: new AbortController().signal,
    onTestFinished: (hook: Hook) => void finished.push(hook),
    task: { name }
  }
  try {
    await Promise.race([body(context), late()])
  } finally {
    for (const hook of [...around.flatMap(({ after }) => after), ...finished]) await hook()
  }
}

/** Imports a file, and runs its tests. */
export const reportOn = async (load: () => Promise<unknown>): Promise<Report> => {
  suite = suiteOf("", undefined)
  tests = []
  suites = [suite]
  skipped = 0
  const failed: Array<{ name: string; error: string }> = []
  try {
    await load()
  } catch (error) {
    failed.push({ name: "the file", error: messageOf(error) })
  }
  let passed = 0
  for (const test of tests) {
    try {
      await runTest(test)
      passed++
    } catch (error) {
      failed.push({ name: titleOf(test), error: messageOf(error) })
    }
  }
  for (const { begun, last } of suites) {
    if (begun) { for (const hook of last) await hook() }
  }
  return { passed, skipped, failed }
}
