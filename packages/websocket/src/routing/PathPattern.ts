/**
 * Patterns of paths, whose parameters are known to the compiler.
 *
 *     /chat                    this path
 *     /rooms/:room             one segment, not an empty one
 *     /rooms/:room/files/*path the rest, however many segments, or none
 *
 * ```ts import.meta.vitest
 * import * as PathPattern from "@wirestack/websocket/routing/PathPattern"
 *
 * const file = PathPattern.make("/rooms/:room/files/*path")
 *
 * PathPattern.match(file, "/rooms/caf%C3%A9/files/a/b.txt") // => { room: "café", path: "a/b.txt" }
 * PathPattern.match(file, "/rooms/1") // => undefined
 * ```
 *
 * The contract:
 *
 * - A pattern is written as people read it; a path is matched as it was sent. Its segments are percent-decoded one by
 *   one, and what is not percent-encoded UTF-8 doesn't match.
 * - Letter case is significant, and so is a slash at the end.
 * - No parameter has a segment that is `.` or `..`, and no rest has one with a slash in it (`%2F`): a rest says as a
 *   path what it says as segments.
 */

type NameOf<Segment extends string> = Segment extends `:${infer Name}` ? Name
  : Segment extends `*${infer Name}` ? Name
  : never

type Names<Pattern extends string> = Pattern extends `${infer Segment}/${infer Rest}` ? NameOf<Segment> | Names<Rest>
  : NameOf<Pattern>

/** The parameters of a pattern; those of one that is only known at run time may have any name. */
export type Params<Pattern extends string> = string extends Pattern ? { readonly [name: string]: string }
  : { readonly [Name in Names<Pattern>]: string }

type Twice<Pattern extends string> = Pattern extends `${infer Segment}/${infer Rest}`
  ? NameOf<Segment> & Names<Rest> | Twice<Rest>
  : never

/** The pattern, or what is wrong with it. */
export type Checked<Pattern extends string> = string extends Pattern ? Pattern
  : Pattern extends `/${string}`
    ? Pattern extends `${string}/*${string}/${string}` ? "a rest, *name, is the last segment"
    : Extract<Names<Pattern>, ""> extends never ? [Twice<Pattern>] extends [never] ? Pattern : "each name occurs once"
    : "a parameter has a name"
  : "a pattern begins with /"

interface Segment {
  readonly kind: "static" | "param" | "rest"
  /** What a static one is, or how another one is called. */
  readonly text: string
}

/** A pattern that was checked. */
export interface PathPattern<out Pattern extends string = string> {
  readonly pattern: Pattern
  readonly segments: ReadonlyArray<Segment>
}

const segmentOf = (text: string): Segment =>
  text.startsWith(":")
    ? { kind: "param", text: text.slice(1) }
    : text.startsWith("*")
    ? { kind: "rest", text: text.slice(1) }
    : { kind: "static", text }

const problemOf = (pattern: string, segments: ReadonlyArray<Segment>): string | undefined => {
  const names = segments.filter(({ kind }) => kind !== "static").map(({ text }) => text)
  if (!pattern.startsWith("/")) return "a pattern begins with /"
  if (segments.slice(0, -1).some(({ kind }) => kind === "rest")) return "a rest, *name, is the last segment"
  if (!names.every((name) => /^[A-Za-z_]\w*$/.test(name))) return "a name has letters, digits and _"
  if (new Set(names).size < names.length) return "each name occurs once"
  return undefined
}

/**
 * A pattern. One that is wrong doesn't compile, or throws a `RangeError` if it is not a literal.
 *
 * @category constructors
 */
export const make = <const Pattern extends string>(
  pattern: Pattern & Checked<Pattern>
): PathPattern<Pattern> => {
  const segments = pattern.split("/").slice(1).map(segmentOf)
  const problem = problemOf(pattern, segments)
  if (problem !== undefined) throw new RangeError(`${JSON.stringify(pattern)} is no pattern of a path: ${problem}`)
  return { pattern, segments }
}

const decode = (segment: string): string | undefined => {
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}

/** Whether a decoded segment, taken for a path of files, would lead somewhere else. */
const leads = (segment: string): boolean =>
  segment.includes("\0") || segment.split(/[/\\]/).some((name) => name === "." || name === "..")

const rest = (segments: ReadonlyArray<string>): string | undefined => {
  const decoded = segments.map(decode)
  return decoded.every((segment) => segment !== undefined && !leads(segment) && !segment.includes("/")) &&
      (decoded.length === 1 || decoded[0] !== "")
    ? decoded.join("/")
    : undefined
}

/** The parameters of a path, without its query, if it matches. */
export const match = <Pattern extends string>(
  self: PathPattern<Pattern>,
  path: string
): Params<Pattern> | undefined => {
  if (!path.startsWith("/")) return undefined
  const parts = path.split("/").slice(1)
  const { segments } = self
  const open = segments.at(-1)!.kind === "rest"
  if (open ? parts.length < segments.length : parts.length !== segments.length) return undefined
  const params: Array<readonly [name: string, value: string]> = []
  for (let i = 0; i < segments.length; i++) {
    const { kind, text } = segments[i]
    const value = kind === "rest" ? rest(parts.slice(i)) : decode(parts[i])
    if (value === undefined) return undefined
    if (kind === "static") { if (value !== text) return undefined }
    else {
      if (kind === "param" && (value === "" || leads(value))) return undefined
      params.push([text, value])
    }
  }
  return Object.fromEntries(params) as Params<Pattern>
}

const rank = { static: 0, param: 1, rest: 2 } as const

/**
 * The order in which patterns are tried, the most specific first: from the left, what is static comes before a parameter
 * and this before a rest. Zero if both match the same paths.
 */
export const compare = (self: PathPattern, that: PathPattern): -1 | 0 | 1 => {
  const length = Math.min(self.segments.length, that.segments.length)
  for (let i = 0; i < length; i++) {
    const [a, b] = [self.segments[i], that.segments[i]]
    if (a.kind !== b.kind) return rank[a.kind] < rank[b.kind] ? -1 : 1
    if (a.kind === "static" && a.text !== b.text) return a.text < b.text ? -1 : 1
  }
  return self.segments.length === that.segments.length ? 0 : self.segments.length > that.segments.length ? -1 : 1
}
