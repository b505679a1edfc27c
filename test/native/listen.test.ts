import { describeStories } from './hosted.ts'

describeStories('listen.py')
