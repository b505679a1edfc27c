import { describeTests } from './hosted.ts'

describeTests('listen.py')
