import { describeStories } from './hosted.ts'

describeStories('takeover.py')
