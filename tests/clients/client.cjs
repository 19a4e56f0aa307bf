// One request of the JavaScript SDK: node client.cjs get|put ENDPOINT BUCKET KEY FILE
const fs = require("node:fs");
const { GetObjectCommand, PutObjectCommand, S3Client } = require("@aws-sdk/client-s3");

async function main() {
  const [verb, endpoint, Bucket, Key, file] = process.argv.slice(2);
  const s3 = new S3Client({ endpoint, region: "us-east-1", forcePathStyle: true, maxAttempts: 1 });
  if (verb === "put") {
    const Body = fs.createReadStream(file);
    await s3.send(new PutObjectCommand({ Bucket, Key, Body, ContentLength: fs.statSync(file).size }));
  } else {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
    fs.writeFileSync(file, await Body.transformToByteArray());
  }
}

main().catch((error) => {
  console.error(`${error.name}: ${error.message}`);
  process.exit(1);
});
