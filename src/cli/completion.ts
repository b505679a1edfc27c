/**
 * Shell completion, made from a command's table: `eval "$(logread --completion bash)"`. A value may be
 * listed by a command, and what that prints may come from containers: the scripts never let a shell evaluate it.
 */
import { type Command, type Flag, type ListedBy, textAlone } from './flag-table.ts'
import { commonFlags } from './help.ts'

const completionShells = ['bash', 'zsh'] as const
export type CompletionShell = (typeof completionShells)[number]

/** The row that every command has, so that its table tells the parser and the help of it. */
export const completionFlag = {
  name: 'completion',
  type: 'choice',
  choices: completionShells,
  value: 'SHELL',
  help: 'print the completion script for a shell',
} as const satisfies Flag

export function completionScript(command: Command, shell: CompletionShell): string {
  return shell === 'bash' ? bashScript(command) : zshScript(command)
}

function shownFlags(command: Command): Flag[] {
  return [...Object.values(command.flags), ...Object.values(commonFlags)].filter((flag) => flag.isHidden !== true)
}

function flagNames(flag: Flag): string[] {
  return [flag.name, ...(flag.aliases ?? [])]
}

/** Every spelling of a flag: Go's grammar takes one dash or two. */
function spellings(flag: Flag): string[] {
  return flagNames(flag).flatMap((name) => [`-${name}`, `--${name}`])
}

function isWords(completes: unknown): completes is readonly string[] {
  return Array.isArray(completes)
}

/** The spelling that is offered first. */
function offered(command: Command, flag: Flag): string {
  return flag.name.length === 1 ? `-${flag.name}` : `${command.dashes}${flag.name}`
}

// ---- bash -----------------------------------------------------------------------------------

function bashScript(command: Command): string {
  const flags = shownFlags(command)
  const withValue = flags.filter((flag) => 'value' in flag && textAlone(flag) === undefined)
  const values = withValue.map((flag) => `        ${spellings(flag).join('|')}) ${bashValue(command, flag)}; return ;;`)
  const words = flags.map((flag) => offered(command, flag)).join(' ')
  const operandFlag = command.flags[command.operandFlag ?? '']
  const doubled = flags.filter(({ name }) => name.length > 1).map(({ name }) => `--${name}`)
  return `# bash completion for ${command.name}, made by: ${command.name} ${offered(command, completionFlag)} bash
_memlogd_listed() {
    local name
    while IFS= read -r name; do
        [[ $name == "$1"* ]] && COMPREPLY+=("$(printf %q "$name")")
    done
}
_memlogd_words() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
    [[ \${COMPREPLY[0]-} == *[:/+] ]] && compopt -o nospace
}
# The last of these flags on the line, with its value, as the array passed.
_memlogd_passed() {
    local at name value
    for ((at = 1; at + 1 < COMP_CWORD; at++)); do
        for name; do
            [[ \${COMP_WORDS[at]} == "$name" ]] || continue
            value=\${COMP_WORDS[at + 1]}
            [[ $value == = ]] && value=\${COMP_WORDS[at + 2]}
            passed=("$name" "$value")
        done
    done
}
_${command.name}() {
    local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]}
    COMPREPLY=()
    # Bash makes the = of -flag=value a word of its own.
    if [[ $cur == = ]]; then
        cur=
    elif [[ $prev == = ]]; then
        prev=\${COMP_WORDS[COMP_CWORD - 2]}
    fi
${command.hasOperands === true ? bashOperands(withValue) : ''}    case $prev in
${values.join('\n')}
    esac
    case $cur in
        --*) mapfile -t COMPREPLY < <(compgen -W '${doubled.join(' ')}' -- "$cur") ;;
        ${operandFlag === undefined ? '*' : '-*'}) mapfile -t COMPREPLY < <(compgen -W '${words}' -- "$cur") ;;${
          operandFlag === undefined ? '' : `\n        *) ${bashValue(command, operandFlag)} ;;`
        }
    esac
}
complete -F _${command.name} ${command.name}
`
}

/** Finds where the command begins, and leaves what follows to the command's own completion. */
function bashOperands(withValue: readonly Flag[]): string {
  return `    local at
    for ((at = 1; at < COMP_CWORD; at++)); do
        case \${COMP_WORDS[at]} in
            ${withValue.flatMap(spellings).join('|')}) [[ \${COMP_WORDS[at + 1]} == = ]] && ((at++)); ((at++)) ;;
            =) ((at++)) ;;
            --) ((at++)); break ;;
            -?*) ;;
            *) break ;;
        esac
    done
    if ((at < COMP_CWORD)) && declare -F _command_offset >/dev/null; then
        _command_offset $at
        return
    elif ((at < COMP_CWORD)); then
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
    elif ((at == COMP_CWORD)) && [[ $cur != -* ]]; then
        mapfile -t COMPREPLY < <(compgen -c -- "$cur")
        return
    fi
`
}

function bashListed(command: Command, { listedBy, passes = '' }: ListedBy): string {
  const flag = command.flags[passes]
  if (flag === undefined) return `_memlogd_listed "$cur" < <(${listedBy} 2>/dev/null)`
  const names = spellings(flag).map((name) => `'${name}'`)
  const passed = `local passed=(); _memlogd_passed ${names.join(' ')}`
  return `${passed}; _memlogd_listed "$cur" < <(${listedBy} "\${passed[@]}" 2>/dev/null)`
}

function bashValue(command: Command, flag: Flag): string {
  if (flag.type === 'choice') return `mapfile -t COMPREPLY < <(compgen -W '${flag.choices.join(' ')}' -- "$cur")`
  const completes = 'completes' in flag ? flag.completes : undefined
  if (isWords(completes)) return `_memlogd_words '${completes.join(' ')}'`
  if (typeof completes === 'object') return bashListed(command, completes)
  switch (completes) {
    case 'file':
      return 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur")'
    case 'directory':
      return 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur")'
    case 'command':
      return 'mapfile -t COMPREPLY < <(compgen -c -- "$cur")'
    default:
      return ':'
  }
}

// ---- zsh ------------------------------------------------------------------------------------

function zshScript(command: Command): string {
  const specs = shownFlags(command).flatMap((flag) => zshSpecs(command, flag))
  const operandFlag = command.flags[command.operandFlag ?? '']
  if (operandFlag !== undefined) specs.push(zshQuoted(`*:${operandFlag.name}:${zshAction(command, operandFlag)}`))
  if (command.hasOperands === true) specs.push(zshQuoted('*:::command:_normal'))
  return `#compdef ${command.name}
# zsh completion for ${command.name}, made by: ${command.name} ${offered(command, completionFlag)} zsh
_memlogd_listed() {
    local -a names
    names=(\${(f)"$("$@" 2>/dev/null)"})
    compadd -a names
}
# The last of these flags on the line, with its value, as the array passed.
_memlogd_passed() {
    local at name
    for ((at = 2; at < CURRENT; at++)); do
        for name; do
            [[ $words[at] == $name=* ]] && passed=($name \${(Q)words[at]#*=})
            [[ $words[at] == $name && $((at + 1)) -lt $CURRENT ]] && passed=($name \${(Q)words[at + 1]})
        done
    done
}
_${command.name}() {
    _arguments ${command.hasClusters === true ? '-s -S' : '-S'} \\
        ${specs.join(' \\\n        ')}
}
if [[ $funcstack[1] == _${command.name} ]]; then
    _${command.name} "$@"
else
    compdef _${command.name} ${command.name}
fi
`
}

/** A spec for each name; the names exclude each other unless the flag may be repeated. */
function zshSpecs(command: Command, flag: Flag): string[] {
  const names = flagNames(flag).map((name) => (name.length === 1 ? `-${name}` : `${command.dashes}${name}`))
  const isRepeatable = flag.type === 'strings'
  const before = isRepeatable ? '*' : `(${names.join(' ')})`
  const help = flag.help.replace(/[[\]\\:]/g, '\\$&')
  const value =
    'value' in flag && textAlone(flag) === undefined ? `:${flag.value.toLowerCase()}:${zshAction(command, flag)}` : ''
  return names.map((name) => {
    // The value is the next word, or joined on: `-n5` where letters cluster, `-x=5` everywhere else.
    const joint = command.hasClusters === true && name.length === 2 ? '+' : '='
    return zshQuoted(`${before}${name}${value === '' ? '' : joint}[${help}]${value}`)
  })
}

function zshListed(command: Command, { listedBy, passes = '' }: ListedBy): string {
  const flag = command.flags[passes]
  if (flag === undefined) return `{_memlogd_listed ${listedBy}}`
  return `{local -a passed; _memlogd_passed ${spellings(flag).join(' ')}; _memlogd_listed ${listedBy} $passed}`
}

function zshAction(command: Command, flag: Flag): string {
  if (flag.type === 'choice') return `(${flag.choices.join(' ')})`
  const completes = 'completes' in flag ? flag.completes : undefined
  if (isWords(completes)) {
    // A colon ends a part of a spec.
    const words = completes.join(' ').replaceAll(':', '\\:')
    return completes.some((word) => /[:/+]$/.test(word)) ? `{compadd -S "" -- ${words}}` : `(${words})`
  }
  if (typeof completes === 'object') return zshListed(command, completes)
  switch (completes) {
    case 'file':
      return '_files'
    case 'directory':
      return '_files -/'
    case 'command':
      return '_command_names -e'
    default:
      return ' '
  }
}

function zshQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
