import { describeStories } from './hosted.ts'

describeStories('engine-process.py')
