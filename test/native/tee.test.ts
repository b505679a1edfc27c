import { describeStories } from './hosted.ts'

describeStories('tee.py')
