/**
 * The pages of the chat, as they are served: the page itself, its styles, and its program, which is bundled when the first one asks for it.
 *
 * Nothing comes from anywhere else, and the policy of the pages (CSP) allows nothing else: no script in the page, no style in an attribute,
 * no frame around it.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"

/** The headers of every answer. */
export const headers = {
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'"
  ].join("; "),
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "cache-control": "no-cache"
}

/** Something that is served at a path. */
export interface Asset {
  readonly path: `/${string}`
  readonly type: string
  readonly content: Effect.Effect<string>
}

export type Site = ReadonlyArray<Asset>

const bundle = async (input: string): Promise<string> => {
  const { rolldown } = await import("rolldown")
  const bundle = await rolldown({
    input,
    resolve: { conditionNames: ["@wirestack/source", "browser", "import", "default"] }
  })
  const { output: [{ code }] } = await bundle.generate({ format: "esm", minify: true })
  await bundle.close()
  return code
}

/** A program for browsers and all that it imports, as one module: made when it is asked for, once. */
const bundled = (input: string): Effect.Effect<string> => {
  let program: Promise<string> | undefined
  return Effect.promise(() => program ??= bundle(input))
}

const types = {
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml"
}

/** The site; its files are read when they are asked for. */
export const make: Effect.Effect<Site, never, FileSystem.FileSystem | Path.Path> = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = path.join(import.meta.dirname, "page")
  const file = (at: Asset["path"], type: keyof typeof types, name: string): Asset => ({
    path: at,
    type: types[type],
    content: Effect.orDie(fs.readFileString(path.join(folder, name)))
  })
  return [
    file("/", "html", "index.html"),
    file("/tokens.css", "css", "tokens.css"),
    file("/chat.css", "css", "chat.css"),
    file("/icon.svg", "svg", "icon.svg"),
    { path: "/chat.js", type: types.js, content: bundled(path.join(folder, "main.ts")) }
  ]
})
