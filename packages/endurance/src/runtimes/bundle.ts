/** Test files as one program that runs on any runtime, with `StandIn` in the place of vitest. */
import { writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { type Plugin, rolldown } from "rolldown"

const standIn = fileURLToPath(new URL("./StandIn.ts", import.meta.url))

/** Sources know where they lie, not where their bundle does. */
const places: Plugin = {
  name: "places",
  transform: (code, id) =>
    code.includes("import.meta.")
      ? code
        .replaceAll("import.meta.url", JSON.stringify(pathToFileURL(id).href))
        .replaceAll("import.meta.dirname", JSON.stringify(dirname(id)))
      : undefined
}

/** Each file is imported and run by itself. */
const entryOf = (files: ReadonlyArray<string>): string =>
  [
    `import { reportOn } from ${JSON.stringify(standIn)}`,
    ...files.map((file) =>
      `console.log(${JSON.stringify(mark)} + JSON.stringify(await reportOn(() => import(${JSON.stringify(file)}))))`
    ),
    "process.exit()"
  ].join("\n")

/** What a line begins with that is a report. */
export const mark = "@report "

const conditionNames = ["@wirestack/source", "module", "node", "import", "default"]

/** Writes the program into a folder. */
export const bundle = async (name: string, files: ReadonlyArray<string>, folder: string): Promise<string> => {
  const entry = join(folder, `${name}.entry.js`)
  await writeFile(entry, entryOf(files))
  const build = await rolldown({
    input: entry,
    platform: "node",
    plugins: [places],
    resolve: { alias: { vitest: standIn }, conditionNames },
    logLevel: "silent"
  })
  const file = join(folder, `${name}.mjs`)
  await build.write({ file, format: "esm", codeSplitting: false })
  await build.close()
  return file
}

/** What modules still import once they are bundled for no runtime in particular. */
export const importsOf = async (modules: ReadonlyArray<string>, folder: string): Promise<ReadonlyArray<string>> => {
  const entry = join(folder, "portable.entry.js")
  await writeFile(entry, modules.map((module, n) => `export * as all${n} from ${JSON.stringify(module)}`).join("\n"))
  const build = await rolldown({
    input: entry,
    platform: "neutral",
    resolve: { conditionNames: conditionNames.filter((name) => name !== "node"), mainFields: ["module", "main"] },
    logLevel: "silent"
  })
  const { output } = await build.generate({ format: "esm", codeSplitting: false })
  await build.close()
  return output.flatMap((chunk) => chunk.type === "chunk" ? [...chunk.imports, ...chunk.dynamicImports] : [])
}
