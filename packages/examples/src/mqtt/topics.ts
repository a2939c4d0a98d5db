/** Topics and the filters that choose among them (section 4.7). */

const shared = /^\$share\/[^/]+\//

/** Whether a filter admits a topic: `+` stands for a level, `#` for all that follow, and neither for a first level that begins with `$`. */
export const matches = (filter: string, topic: string): boolean => {
  const wanted = filter.replace(shared, "").split("/")
  const levels = topic.split("/")
  if (levels[0].startsWith("$") && (wanted[0] === "+" || wanted[0] === "#")) return false
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === "#") return true
    if (i >= levels.length || (wanted[i] !== "+" && wanted[i] !== levels[i])) return false
  }
  return wanted.length === levels.length
}
