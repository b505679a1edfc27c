/** How large an executable is, as it is and as a compressed initramfs would carry it. */
import { readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { constants, gzip, zstdCompress } from 'node:zlib'
import type { Layout } from '../project.ts'
import { runStep } from '../step.ts'

const gzipLevel = 6
const zstdLevel = 10

/** Says the three sizes; compresses only when the file has changed since it was last measured. */
export async function reportSizes(layout: Layout, file: string, say: (line: string) => void): Promise<void> {
  const report = join(layout.cache, 'sizes', `${basename(file)}.txt`)
  await runStep(layout, {
    name: `sizes-${basename(file)}`,
    inputs: [file],
    values: [String(gzipLevel), String(zstdLevel)],
    outputs: [report],
    run: async () => {
      const bytes = readFileSync(file)
      const [gzipped, zstd] = await Promise.all([
        promisify(gzip)(bytes, { level: gzipLevel }),
        promisify(zstdCompress)(bytes, { params: { [constants.ZSTD_c_compressionLevel]: zstdLevel } }),
      ])
      const sizes = [
        `${megabytes(bytes)} MB`,
        `gzip -${gzipLevel} ${megabytes(gzipped)} MB`,
        `zstd -${zstdLevel} ${megabytes(zstd)} MB`,
      ]
      writeFileSync(report, `${sizes.join(', ')}\n`)
    },
  })
  say(`size of dist/${basename(file)}: ${readFileSync(report, 'utf8').trim()}`)
}

function megabytes(bytes: Buffer): string {
  return (bytes.length / 1e6).toFixed(1)
}
