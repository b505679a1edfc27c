console.log(JSON.stringify([process.argv0, process.argv]))
