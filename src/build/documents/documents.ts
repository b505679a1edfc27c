/** Man pages and completion scripts under dist/, from the tables of the applets. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { completionScript } from '../../cli/completion.ts'
import type { Command } from '../../cli/flag-table.ts'
import type { Manual } from '../../cli/manual.ts'
import { containerdCommand } from '../../containerd/main.ts'
import { containerdManual } from '../../containerd/manual.ts'
import { logreadManual } from '../../logread/manual.ts'
import { logreadCommand } from '../../logread/options.ts'
import { logwriteCommand } from '../../logwrite/main.ts'
import { logwriteManual } from '../../logwrite/manual.ts'
import { memlogdManual } from '../../memlogd/start/manual.ts'
import { memlogdCommand } from '../../memlogd/start/options.ts'
import { type Layout, projectVersion, sourceFiles } from '../project.ts'
import { runStep } from '../step.ts'
import { manPage } from './man-page.ts'

export const documented: readonly (readonly [Command, Manual])[] = [
  [memlogdCommand, memlogdManual],
  [logreadCommand, logreadManual],
  [logwriteCommand, logwriteManual],
  [containerdCommand, containerdManual],
]

/** Where each document goes, below dist/: as distributions lay out /usr/share. */
function documents(version: string): ReadonlyMap<string, string> {
  const files = new Map<string, string>()
  for (const [command, manual] of documented) {
    files.set(`man/man${manual.section}/${command.name}.${manual.section}`, manPage(command, manual, version))
    files.set(`completion/bash/${command.name}`, completionScript(command, 'bash'))
    files.set(`completion/zsh/_${command.name}`, completionScript(command, 'zsh'))
  }
  return files
}

/** Returns whether they were made anew. */
export async function writeDocuments(layout: Layout): Promise<boolean> {
  const files = documents(projectVersion(layout))
  return runStep(layout, {
    name: 'documents',
    inputs: sourceFiles(join(layout.root, 'src'), '.ts', ['native', 'image']),
    values: [projectVersion(layout)],
    outputs: [...files.keys()].map((file) => join(layout.dist, file)),
    run: () => {
      for (const [file, text] of files) {
        mkdirSync(dirname(join(layout.dist, file)), { recursive: true })
        writeFileSync(join(layout.dist, file), text)
      }
    },
  })
}
