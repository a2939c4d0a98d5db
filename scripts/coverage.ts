/** A coverage report of one line per package: how many of its branches were taken. Of no file at all is a failure, as no threshold finds it. */
interface File {
  getFileCoverage(): { readonly path: string }
  getCoverageSummary(): { readonly branches: { readonly total: number; readonly covered: number } }
}

interface Context {
  getTree(kind: "flat"): { getRoot(): { getChildren(): ReadonlyArray<File> } }
}

export default class Branches {
  execute(context: Context): void {
    const packages = new Map<string, { total: number; covered: number }>()
    for (const file of context.getTree("flat").getRoot().getChildren()) {
      const name = /packages\/[^/]+\/src/.exec(file.getFileCoverage().path.replaceAll("\\", "/"))?.[0] ?? "other"
      const { covered, total } = file.getCoverageSummary().branches
      const sum = packages.get(name) ?? { covered: 0, total: 0 }
      packages.set(name, { covered: sum.covered + covered, total: sum.total + total })
    }
    if (packages.size === 0) throw new Error("coverage: no file was found")
    for (const [name, { covered, total }] of packages) {
      console.log(
        `branches ${(total === 0 ? 100 : 100 * covered / total).toFixed(2)} %  (${covered} of ${total})  ${name}`
      )
    }
  }
}
