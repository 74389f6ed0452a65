module github.com/workqueue/workqueue/test/tools/pause

go 1.26
