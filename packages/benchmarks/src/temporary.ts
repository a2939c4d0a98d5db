/** A folder that is gone when this process is. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export const temporary = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "wirestack-bench-"))
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }))
  return folder
}
