import { describeTests } from './hosted.ts'

describeTests('logger.py')
