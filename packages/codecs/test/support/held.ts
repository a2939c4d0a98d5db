/** How many bytes of memory a step takes for arrays at its peak, as far as nothing is collected meanwhile: most of them are large. */
export const held = (step: () => void): number => {
  const before = process.memoryUsage()
  step()
  const after = process.memoryUsage()
  return after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers
}
