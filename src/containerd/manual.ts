/** memlogd-containerd(8), besides its flags. */
import type { Manual } from '../cli/manual.ts'
import { containerdWaitMs, logSocketPath } from '../protocol/constants.ts'

export const containerdManual: Manual = {
  section: 8,
  description: [
    "In the log the container's lines have the sources NAMESPACE/ID.stdout and NAMESPACE/ID.stderr. What a container " +
      'writes to a terminal (nerdctl run -t) is all NAMESPACE/ID.stdout.',
    'memlogd reads the pipes of the container itself. This process copies nothing: it keeps the pipes open until ' +
      "both have ended or the task is deleted. While no memlogd runs, the container's output waits in its pipes, and " +
      'the container itself once they are full; the next memlogd receives the same pipes and goes on.',
    'containerd starts the container whatever its logger does. When memlogd cannot be reached, this process says so ' +
      "in containerd's log and exits with 1, and the container's writes fail with EPIPE.",
  ],
  more: [],
  exitStatus: [
    ['0', 'Both outputs have ended, or the task was deleted.'],
    ['1', 'memlogd cannot be reached.'],
    ['2', 'The command line is wrong, or it was not containerd that started it.'],
  ],
  environment: [
    ['CONTAINER_NAMESPACE', "containerd's namespace. containerd sets it."],
    ['CONTAINER_ID', "The container's id, or that of a process which was started in it. containerd sets it."],
  ],
  files: [[logSocketPath, "memlogd's log socket."]],
  limits: [["a container's start", `Waits at most ${containerdWaitMs / 1000} s for a memlogd that receives nothing.`]],
  examples: [
    {
      text: 'A container that logs to memlogd, and its lines:',
      commands: [
        'ctr run -d --log-uri binary:///usr/bin/memlogd-containerd docker.io/library/nginx:alpine web',
        "logread 'default/web.*'",
      ],
    },
    {
      text: 'The same with nerdctl, and with a socket elsewhere:',
      commands: [
        'nerdctl run -d --log-driver binary:///usr/bin/memlogd-containerd nginx:alpine',
        "ctr run -d --log-uri 'binary:///usr/bin/memlogd-containerd?-socket=/run/log.sock' IMAGE ID",
      ],
    },
  ],
  seeAlso: ['memlogd(8)', 'logread(1)', 'ctr(8)'],
}
