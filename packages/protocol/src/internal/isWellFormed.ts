/** Whether a string has no half of a surrogate pair, so that UTF-8 can carry it. */
export const isWellFormed = (text: string): boolean => (text as unknown as { isWellFormed(): boolean }).isWellFormed()
