/** A column of numbers that grows; [0, length) is in use. */
export class GrowingColumn {
  values = new Float64Array(256)
  length = 0

  push(value: number): void {
    if (this.length === this.values.length) {
      const grown = new Float64Array(2 * this.length)
      grown.set(this.values)
      this.values = grown
    }
    this.values[this.length++] = value
  }

  clear(): void {
    this.length = 0
  }
}
