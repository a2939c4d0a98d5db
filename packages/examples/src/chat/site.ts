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

/** The files of a page, by the paths they are served at, and the path of its program, which is in `main.ts`. */
export interface Files {
  readonly folder: string
  readonly files: { readonly [at: Asset["path"]]: string }
  readonly program: Asset["path"]
}

/** A page; its files are read when they are asked for. */
export const page = Effect.fnUntraced(function*({ files, folder, program }: Files) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const assets = Object.entries(files).map(([at, name]): Asset => ({
    path: at as Asset["path"],
    type: types[path.extname(name).slice(1) as keyof typeof types],
    content: Effect.orDie(fs.readFileString(path.join(folder, name)))
  }))
  return [...assets, { path: program, type: types.js, content: bundled(path.join(folder, "main.ts")) }] satisfies Site
})

/** The chat's. */
export const make = Effect.flatMap(Path.Path, (path) =>
  page({
    folder: path.join(import.meta.dirname, "page"),
    files: { "/": "index.html", "/tokens.css": "tokens.css", "/chat.css": "chat.css", "/icon.svg": "icon.svg" },
    program: "/chat.js"
  }))
