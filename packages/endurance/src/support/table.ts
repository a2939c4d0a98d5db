/** Rows as text, in columns: the first to the left, the others to the right. The first row is the head. */
export const table = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  const line = (row: ReadonlyArray<string>): string =>
    row.map((cell, column) => column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])).join("   ")
  const [head, ...body] = rows.map(line)
  return [head, "-".repeat(head.length), ...body].join("\n")
}
